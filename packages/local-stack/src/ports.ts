import net from "node:net";
import { StackError } from "./errors.ts";

/** Fails with a sentence that names the port and the setting when something else listens there. */
export async function requireFreePorts(ports: Record<string, number>): Promise<void> {
  for (const [what, port] of Object.entries(ports)) {
    if (!(await isFree(port))) {
      throw new StackError(
        "port_taken",
        `Port ${port} (${what}) is in use by another program; stop it, or choose other ports with --port-base N or PIPELINE_PORT_BASE=N.`,
      );
    }
  }
}

export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = net.createServer();
    probe.once("error", () => resolve(false));
    probe.listen({ port, host: "127.0.0.1", exclusive: true }, () => probe.close(() => resolve(true)));
  });
}
