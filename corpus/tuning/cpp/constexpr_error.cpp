#include <bits/stdc++.h>
using namespace std;
constexpr int f(int n) { return n == 0 ? throw 1 : f(n - 1); }
constexpr int x = f(3);
int main() { constexpr vector<int> v; cout << x; }
