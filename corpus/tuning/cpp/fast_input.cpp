#include <bits/stdc++.h>
using namespace std;
int main() { ios::sync_with_stdio(false); cin.tie(nullptr); string s; while (getline(cin, s)) cout << s.size() << '\n'; cout << fixed << setprecision(3) << 2.0 / 3 << '\n'; }
