// flags: -ffast-math
#include <bits/stdc++.h>
using namespace std;
int main() { volatile double z = 0; double n = z / z; printf("%d\n", n == n); }
