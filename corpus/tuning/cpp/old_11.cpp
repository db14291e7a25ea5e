// flags: -std=c++11
#include <bits/stdc++.h>
using namespace std;
int main() { auto f = [](auto x) { return x; }; cout << f(3); }
