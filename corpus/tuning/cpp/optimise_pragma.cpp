#pragma GCC optimize("O3,unroll-loops")
#pragma GCC target("avx2,bmi,popcnt")
#include <bits/stdc++.h>
using namespace std;
int main() { long s = 0; for (int i = 0; i < 1000; i++) s += __builtin_popcount(i); cout << s << endl; }
