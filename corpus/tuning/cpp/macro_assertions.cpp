// flags: -D_GLIBCXX_ASSERTIONS
#include <bits/stdc++.h>
using namespace std;
int main(int argc, char **) { vector<int> v(1); cout << v[argc]; }
