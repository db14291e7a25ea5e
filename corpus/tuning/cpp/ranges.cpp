// flags: -std=gnu++20
#include <bits/stdc++.h>
using namespace std;
int main() { vector<int> v{1, 2, 3, 4}; for (int n : v | views::filter([](int n) { return n % 2 == 0; }) | views::transform([](int n) { return n * n; })) cout << n << " "; cout << (3 <=> 2 > 0) << endl; }
