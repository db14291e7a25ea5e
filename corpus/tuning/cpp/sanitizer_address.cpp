// flags: -fsanitize=address
#include <bits/stdc++.h>
using namespace std;
int main(int argc, char **) { vector<int> v(3); cout << v[argc - 1] << endl; }
