// flags: -O0 -g
#include <bits/stdc++.h>
using namespace std;
int main() { map<int, int> m; for (int i = 0; i < 100; i++) m[i % 7] += i; for (auto p : m) cout << p.second << " "; }
