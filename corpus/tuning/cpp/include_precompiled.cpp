#include <iostream.gch>
int main() {}
