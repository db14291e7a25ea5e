import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

class Main {
    record Place(int row, int column) {}

    public static void main(String[] args) {
        var in = new java.io.BufferedReader(new java.io.InputStreamReader(System.in));
        List<String> maze = in.lines().collect(Collectors.toList());
        Map<Place, String> ways = new HashMap<>();
        ArrayDeque<Place> queue = new ArrayDeque<>();
        for (int row = 0; row < maze.size(); row++) {
            int column = maze.get(row).indexOf('S');
            if (column >= 0) {
                queue.add(new Place(row, column));
                ways.put(queue.peek(), "");
            }
        }
        while (!queue.isEmpty()) {
            Place place = queue.poll();
            if (maze.get(place.row()).charAt(place.column()) == 'T') {
                System.out.println(ways.get(place));
                return;
            }
            String steps = "NESW";
            int[] down = {-1, 0, 1, 0}, right = {0, 1, 0, -1};
            for (int step = 0; step < 4; step++) {
                Place next = new Place(place.row() + down[step], place.column() + right[step]);
                if (next.row() < 0 || next.row() >= maze.size() || ways.containsKey(next)) continue;
                if (next.column() < 0 || next.column() >= maze.get(next.row()).length()) continue;
                if (maze.get(next.row()).charAt(next.column()) == '#') continue;
                ways.put(next, ways.get(place) + steps.charAt(step));
                queue.add(next);
            }
        }
        System.out.println("-");
    }
}
