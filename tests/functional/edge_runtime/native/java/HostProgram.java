import dev.snapship.Core;
import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** A host for tests: reads jobs from the standard input, writes their results; see core_hosts.py. */
public final class HostProgram {
    private static final DataInputStream IN = new DataInputStream(new BufferedInputStream(System.in, 1 << 20));
    private static final OutputStream OUT = new BufferedOutputStream(System.out, 1 << 20);

    private static ByteBuffer read(int bytes) throws IOException {
        byte[] data = new byte[bytes];
        IN.readFully(data);
        ByteBuffer buffer = ByteBuffer.allocateDirect(bytes).order(ByteOrder.LITTLE_ENDIAN);
        buffer.put(data).flip();
        return buffer;
    }

    private static String readLine() throws IOException {
        StringBuilder line = new StringBuilder();
        for (int next = IN.read(); next >= 0; next = IN.read()) {
            if (next == '\n') return line.toString();
            line.append((char) next);
        }
        return null;
    }

    private static void answer(byte[] data, int refusal) throws IOException {
        int bytes = data == null ? refusal : data.length;
        OUT.write(ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(bytes).array());
        if (data != null) OUT.write(data);
    }

    private static void resize(String[] words) throws IOException {
        int width = Integer.parseInt(words[1]), height = Integer.parseInt(words[2]);
        int outHeight = Integer.parseInt(words[8]), channels = Integer.parseInt(words[9]);
        int band = Integer.parseInt(words[12]);
        long resizer = Core.open(width, height, real(words[3]), real(words[4]), real(words[5]), real(words[6]),
                Integer.parseInt(words[7]), outHeight, channels, words[10].equals("1"));
        if (resizer == 0) {
            answer(null, -1);
            return;
        }
        int stride = width * (channels == 3 ? 4 : 1), done = 0;
        boolean early = Core.result(resizer) == null;
        for (int row = 0; row < height; row += band) {
            int count = Math.min(band, height - row);
            ByteBuffer rows = read(stride * count);
            // A buffer without the memory that it claims, or none that C can read, is refused and changes nothing.
            if (Core.push(resizer, rows, count + 1) != -1 || Core.push(resizer, null, count) != -1
                    || Core.push(resizer, ByteBuffer.allocate(stride * count), count) != -1
                    || Core.push(resizer, rows, -1) != -1) {
                throw new IllegalStateException("a damaged call was taken");
            }
            int now = Core.push(resizer, rows, count);
            if (now < done || now > outHeight) throw new IllegalStateException(now + " rows after " + done);
            done = now;
        }
        boolean refused = Core.push(resizer, ByteBuffer.allocateDirect(stride), 1) == -1;
        answer(early && refused && done == outHeight ? Core.result(resizer) : null, -2);
        Core.close(resizer);
    }

    private static float real(String word) {
        return (float) Double.parseDouble(word);
    }

    public static void main(String[] arguments) throws IOException {
        System.load(arguments[0]);
        for (String line = readLine(); line != null; line = readLine()) {
            String[] words = line.split(" ");
            if (words[0].equals("resize")) {
                resize(words);
                continue;
            }
            int count = Integer.parseInt(words[1]);
            ByteBuffer data = read(words[0].equals("sha256") ? count : 4 * count);
            switch (words[0]) {
                case "pixels" -> answer(Core.pixels(data, count, Integer.parseInt(words[2])), -1);
                case "opaque" -> {
                    byte[] out = new byte[4 * count + 1];
                    out[0] = (byte) Core.opaque(data, count);
                    data.get(out, 1, 4 * count);
                    answer(out, -1);
                }
                case "best" -> {
                    float[] scores = new float[count];
                    data.asFloatBuffer().get(scores);
                    int[] best = Core.best(scores, Integer.parseInt(words[2]));
                    ByteBuffer out = best == null ? null
                            : ByteBuffer.allocate(4 * best.length).order(ByteOrder.LITTLE_ENDIAN);
                    for (int at = 0; best != null && at < best.length; at++) out.putInt(best[at]);
                    answer(out == null ? null : out.array(), -1);
                }
                case "sha256" -> answer(Core.sha256(data, count), -1);
                default -> throw new IllegalArgumentException(line);
            }
        }
        OUT.flush();
    }
}
