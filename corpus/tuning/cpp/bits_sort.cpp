#include <bits/stdc++.h>
using namespace std;
int main() { vector<int> v{3, 1, 2}; sort(v.begin(), v.end()); map<string, int> m{{"b", 2}, {"a", 1}}; for (auto &[k, n] : m) cout << k << n << " "; cout << v[0] << endl; }
