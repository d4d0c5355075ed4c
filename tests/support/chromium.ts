import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { installPackages } from "../../scripts/lib/debian-packages.ts";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const ELSEWHERE = [
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
];
const ADVICE = "Install Chromium or Chrome, or name one in CHROMIUM_PATH.";

/** A browser that is there already, else Debian's, which is installed. Fails where neither can be. */
export async function findChromium(say: (line: string) => void): Promise<string> {
  const found = lookForChromium();
  if (found !== null) return found;
  await installPackages(
    {
      packages: ["chromium"],
      unknown: (names) => `apt knows no ${names}. ${ADVICE}`,
      noApt: `The report is checked in a browser, and there is none here. ${ADVICE}`,
    },
    say,
  );
  const installed = lookForChromium();
  if (installed === null) throw new Error(`apt installed chromium, but it is not in the PATH. ${ADVICE}`);
  return installed;
}

function lookForChromium(): string | null {
  const named = process.env.CHROMIUM_PATH;
  if (named !== undefined && named !== "") {
    if (isProgram(named)) return named;
    throw new Error(`CHROMIUM_PATH is ${named}, which is not a program.`);
  }
  const folders = (process.env.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
  const candidates = folders.flatMap((folder) => NAMES.map((name) => join(folder, name)));
  return [...candidates, ...ELSEWHERE].find(isProgram) ?? null;
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
