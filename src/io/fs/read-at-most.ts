/**
 * Reads a stream to its end.
 *
 * @param max bytes; the cap that stops an endless input from taking all memory
 * @returns undefined where the stream is longer
 */
export async function readAtMost(stream: AsyncIterable<Uint8Array>, max: number): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of stream) {
    size += chunk.length;
    if (size > max) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
