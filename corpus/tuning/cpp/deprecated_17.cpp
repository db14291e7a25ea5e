#include <bits/stdc++.h>
using namespace std;
int main() { auto_ptr<int> p(new int(3)); cout << *p ; }
