// flags: -D_GLIBCXX_DEBUG
#include <bits/stdc++.h>
using namespace std;
int main(int argc, char **) { vector<int> v(1); cout << v.size() << v[argc]; }
