#include <math.h>
#include <stdio.h>
int main(int argc, char **argv) { (void)argv; printf("%.10f %.10f %.3f\n", sin(argc), pow(argc + 1, 0.5), fmod(7.5, argc + 1)); return 0; }
