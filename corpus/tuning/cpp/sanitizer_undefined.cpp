// flags: -fsanitize=undefined
#include <bits/stdc++.h>
using namespace std;
int main(int argc, char **) { int x = INT_MAX; x += argc; bool b; memset(&b, 5, 1); cout << (x < 0) << endl; }
