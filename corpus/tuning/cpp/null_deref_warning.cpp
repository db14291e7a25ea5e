// flags: -Wall -O2
#include <bits/stdc++.h>
using namespace std;
int main() { int a[3]; for (int i = 0; i <= 3; i++) a[i] = i; string s(2, 'x'); s[5] = 1; char b[3]; strcpy(b, "too long"); cout << a[0] << b; }
