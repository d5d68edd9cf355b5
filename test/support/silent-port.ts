import { type ChildProcess, spawn } from "node:child_process";
import { connect, type Socket } from "node:net";

/** A port on loopback that drops packets: its queue of connections is full and never emptied. */
export class SilentPort {
  readonly port: number;
  readonly #child: ChildProcess;
  readonly #sockets: readonly Socket[];

  private constructor(port: number, child: ChildProcess, sockets: readonly Socket[]) {
    this.port = port;
    this.#child = child;
    this.#sockets = sockets;
  }

  static async start(): Promise<SilentPort> {
    const listen =
      "require('node:net').createServer().listen({port:0,host:'127.0.0.1',backlog:1},function(){console.log(this.address().port)})";
    const child = spawn(process.execPath, ["-e", listen], { stdio: ["ignore", "pipe", "ignore"] });
    const port = await new Promise<number>((resolve) => child.stdout.once("data", (text) => resolve(Number(text))));
    child.kill("SIGSTOP");
    const sockets: Socket[] = [];
    for (;;) {
      const socket = connect({ host: "127.0.0.1", port });
      socket.on("error", () => {});
      sockets.push(socket);
      const isTaken = await new Promise<boolean>((resolve) => {
        socket.once("connect", () => resolve(true));
        setTimeout(() => resolve(false), 300);
      });
      if (!isTaken) return new SilentPort(port, child, sockets);
    }
  }

  stop(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#child.kill("SIGKILL");
  }
}
