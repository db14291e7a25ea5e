// flags: -Wall -Wextra -pedantic
#include <bits/stdc++.h>
using namespace std;
int main() { int never; auto f = [](int x) { return 1; }; cout << f(2); }
