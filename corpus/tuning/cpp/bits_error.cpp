#include <bits/stdc++.h>
using namespace std;
struct S {};
int main() { vector<S> v(3); sort(v.begin(), v.end()); }
