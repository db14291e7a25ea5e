// flags: -O3 -DNDEBUG
#include <bits/stdc++.h>
using namespace std;
int main() { double s = 0; for (int i = 1; i < 1000; i++) s += sqrt(i); printf("%.9f\n", s); }
