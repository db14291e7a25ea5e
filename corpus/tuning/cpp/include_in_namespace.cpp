namespace mine {
#include <iostream>
}
int main() { mine::std::cout << "x"; }
