#include <bits/stdc++.h>
using namespace std;
int max(int a, int b) { return a > b ? a : b; }
struct list { int n; };
int main() { list l{3}; cout << max(1, l.n); }
