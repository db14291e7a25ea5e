// flags: -Wall
#include <bits/stdc++.h>
using namespace std;
int main() { vector<int> v; v.empty(); async([] {}); char b[4]; fread(b, 1, 4, stdin); }
