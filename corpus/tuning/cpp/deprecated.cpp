// flags: -std=gnu++14
#include <bits/stdc++.h>
using namespace std;
int main() { auto_ptr<int> p(new int(3)); vector<int> v{1, 2}; cout << *p; random_shuffle(v.begin(), v.end()); }
