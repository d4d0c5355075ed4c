// Runs before anything is installed: plain Node, no dependencies. Installs what is missing, then hands over to a TypeScript entry.
import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const [entry, ...args] = process.argv.slice(2);
const MINIMUM_NODE = [20, 19];

function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}

const [major, minor] = process.versions.node.split(".").map(Number);
if (major < MINIMUM_NODE[0] || (major === MINIMUM_NODE[0] && minor < MINIMUM_NODE[1])) {
  fail(
    `This needs Node ${MINIMUM_NODE.join(".")} or newer, but runs on ${process.versions.node}. Install a newer Node and try again.`,
  );
}

if (!existsSync(join(root, "node_modules", ".package-lock.json"))) {
  process.stderr.write("Installing dependencies (npm ci); this happens once …\n");
  const install = spawnSync("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: root,
    stdio: ["ignore", 2, 2],
  });
  if (install.status !== 0) fail("npm ci failed (its messages are above). Check the network and try again.");
}

const child = spawn(process.execPath, ["--import", "tsx", join(root, entry), ...args], { cwd: root, stdio: "inherit" });
// A terminal sends Ctrl-C to the whole group; a supervisor signals only this process. The child takes either once.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
child.on("exit", (code, signal) => process.exit(signal ? 1 : (code ?? 1)));
