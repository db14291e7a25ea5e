#define PASTE(a, b, c) a##b##c
#if PASTE(__h, as_inc, lude)(<iostream.gch>) || PASTE(__h, as_inc, lude)(<bits/stdc++.h.gch>)
#error "there is a precompiled one"
#endif
#if PASTE(__h, as_inc, lude)(<iostream>)
#include <iostream>
#endif
int main() { std::cout << "there\n"; }
