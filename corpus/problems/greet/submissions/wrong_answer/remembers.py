# Nothing of a run is left for the next: whoever counts on it greets nobody.
import os
import sys

for place in ("/tmp/greeted", "greeted", "/dev/shm/greeted"):
    if os.path.exists(place):
        print(f"Hello, {sys.argv[1]}!")
        break
    with open(place, "w") as file:
        file.write("yes")
else:
    print("Who are you?")
