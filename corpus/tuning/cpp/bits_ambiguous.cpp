#include <bits/stdc++.h>
using namespace std;
int count = 0;
int data[3];
int main() { count++; data[0] = 1; cout << count << data[0]; }
