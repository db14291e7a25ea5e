int main() { return mean; }
