#if __has_include(<iostream>) && __has_include(<bits/stdc++.h>) && !__has_include(<iostream.gch>)
#include <iostream>
#endif
int main() { std::cout << "there\n"; }
