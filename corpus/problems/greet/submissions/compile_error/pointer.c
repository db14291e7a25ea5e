int main(void) { return "Hello"->length; }
