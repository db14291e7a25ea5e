// flags: -std=c++23
#include <bits/stdc++.h>
using namespace std;
int main() { string s = "abc"; cout << s.contains("b") << __cplusplus; }
