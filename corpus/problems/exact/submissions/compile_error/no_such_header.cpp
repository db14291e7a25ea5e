#include <no/such/header>

int main() {}
