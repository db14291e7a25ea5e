// flags: -DLOCAL -DN=5 -Wall
#include <bits/stdc++.h>
using namespace std;
#ifdef LOCAL
#define out cerr
#else
#define out cout
#endif
int main() { out << N << endl; }
