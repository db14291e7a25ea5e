#include <iostream>
#include <iostream>
int main() { std::cout << __COUNTER__ << __COUNTER__ << " " << __FILE__ << " " << __LINE__ << " " << __INCLUDE_LEVEL__ << " " << __cplusplus << " " << __BASE_FILE__ << "\n"; }
