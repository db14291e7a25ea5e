#include <bits/stdc++.h>
using namespace std;
thread_local int mine = 1;
int main() { mutex m; int sum = 0; vector<thread> all; for (int i = 0; i < 4; i++) all.emplace_back([&, i] { mine += i; lock_guard g(m); sum += mine; }); for (auto &t : all) t.join(); cout << sum << mine << endl; }
