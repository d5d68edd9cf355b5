import { chmodSync, mkdirSync, readlinkSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** A folder as the kubelet writes the volume of a ConfigMap or Secret: links by way of `..data`, which it switches. */
export class ProjectedVolume {
  readonly folder: string;
  #written = 0;

  /** @param folder that does not exist yet */
  constructor(folder: string, files: Readonly<Record<string, string>>) {
    this.folder = folder;
    mkdirSync(folder);
    // As the kubelet does, whatever the umask is.
    chmodSync(folder, 0o777);
    this.update(files);
  }

  /** Absolute path of a file. */
  path(name: string): string {
    return join(this.folder, name);
  }

  /** Replaces all files by one rename, and then removes the old ones (pkg/volume/util/atomic_writer.go). */
  update(files: Readonly<Record<string, string>>): void {
    const name = `..2026_11_30_12_00_00.${++this.#written}`;
    mkdirSync(this.path(name), { mode: 0o755 });
    for (const [file, text] of Object.entries(files)) writeFileSync(join(this.path(name), file), text, { mode: 0o644 });
    const before = this.#written === 1 ? undefined : readlinkSync(this.path("..data"));
    symlinkSync(name, this.path("..data_tmp"));
    renameSync(this.path("..data_tmp"), this.path("..data"));
    for (const file of Object.keys(files)) this.#link(file);
    if (before !== undefined) rmSync(this.path(before), { recursive: true });
  }

  #link(file: string): void {
    rmSync(this.path(file), { force: true });
    symlinkSync(join("..data", file), this.path(file));
  }
}
