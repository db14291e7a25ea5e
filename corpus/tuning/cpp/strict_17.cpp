// flags: -std=c++17
#include <bits/stdc++.h>
using namespace std;
int main() { typeof(3) x = 1; cout << x << __cplusplus; }
