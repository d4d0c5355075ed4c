import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findChromium } from "../../../tests/support/chromium.ts";
import { renderPage } from "./page.ts";
import { SAMPLE } from "./sample.ts";

/** Installing a browser takes its time, once on a new machine. */
const INSTALL_MS = 900_000;
const THEMES = ["light", "dark"] as const;

let browser: Browser;
let folder: string;
let file: string;

beforeAll(async () => {
  const executablePath = await findChromium((line) => process.stderr.write(`${line}\n`));
  // A container's root has no sandbox to go into; the page is our own and has no script.
  browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
  folder = await mkdtemp(join(tmpdir(), "pipeline-crm-report-"));
  file = join(folder, "report.html");
  await writeFile(file, renderPage(SAMPLE));
}, INSTALL_MS);

afterAll(async () => {
  await browser?.close();
  if (folder !== undefined) await rm(folder, { recursive: true });
});

interface Opened {
  page: Page;
  complaints: string[];
  requests: string[];
}

async function open(colorScheme: (typeof THEMES)[number], width = 1100): Promise<Opened> {
  const page = await browser.newPage({ colorScheme, viewport: { width, height: 900 } });
  const complaints: string[] = [];
  const requests: string[] = [];
  page.on("console", (message) => complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("request", (request) => requests.push(request.url()));
  await page.goto(pathToFileURL(file).href);
  return { page, complaints, requests };
}

/** Runs in the page: each text of the charts and of the page with its colour and what it stands on, as it is painted. */
function paintedTexts() {
  const numbers = (colour: string) => (colour.match(/[\d.]+/g) ?? []).map(Number);
  const seen = (style: CSSStyleDeclaration) => numbers(style.backgroundColor)[3] !== 0;
  const boxOf = (element: Element) => element.getBoundingClientRect();
  const cells = [...document.querySelectorAll('[aria-label="cell"] rect')];
  const paper = (element: Element): string => {
    const { left, top, width, height } = boxOf(element);
    const [x, y] = [left + width / 2, top + height / 2];
    const cell = cells.find((candidate) => {
      const box = boxOf(candidate);
      return x > box.left && x < box.right && y > box.top && y < box.bottom;
    });
    if (cell !== undefined) return getComputedStyle(cell).fill;
    let at: Element | null = element;
    while (at !== null && !seen(getComputedStyle(at))) at = at.parentElement;
    return getComputedStyle(at ?? document.body).backgroundColor;
  };
  return [...document.querySelectorAll("h1, h2, p, li, summary, svg text")].map((element) => {
    const style = getComputedStyle(element);
    const box = boxOf(element);
    return {
      text: element.textContent ?? "",
      colour: numbers(element instanceof SVGElement ? style.fill : style.color).slice(0, 3),
      paper: numbers(paper(element)).slice(0, 3),
      size: Number.parseFloat(style.fontSize) * (element instanceof SVGElement ? svgScale(element) : 1),
      shown: box.width > 0 && box.height > 0,
    };
  });
  function svgScale(element: SVGElement): number {
    const svg = element.ownerSVGElement;
    return svg === null ? 1 : boxOf(svg).width / svg.viewBox.baseVal.width;
  }
}

/** WCAG 2.2, relative luminance and contrast ratio. */
function contrast(a: readonly number[], b: readonly number[]): number {
  const light = (colour: readonly number[]) => {
    const [r = 0, g = 0, blue = 0] = colour.map((value) => {
      const share = value / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * blue;
  };
  const [darker = 0, lighter = 0] = [light(a), light(b)].sort((x, y) => x - y);
  return (lighter + 0.05) / (darker + 0.05);
}

describe("the report in a browser", () => {
  it("asks for nothing but itself and complains about nothing", async () => {
    const { page, complaints, requests } = await open("light");
    expect(complaints).toEqual([]);
    expect(requests.filter((url) => !url.startsWith("data:"))).toEqual([pathToFileURL(file).href]);
    expect(await page.title()).toBe("Pipeline & capacity");
    await page.close();
  });

  it("paints every mark: bars, bands, middles and cells have a size", async () => {
    const { page } = await open("light");
    const sizes = await page.$$eval('svg [aria-label="bar"] rect, svg [aria-label="cell"] rect', (marks) =>
      marks.map((mark) => {
        const { width, height } = mark.getBoundingClientRect();
        return { width, height, fill: getComputedStyle(mark).fill };
      }),
    );
    // 5 stages, 3 bands, 3 closed months (two of them nothing), 3 outlines, 7 weeks of a skill.
    expect(sizes).toHaveLength(21);
    expect(sizes.filter(({ width, height }) => width > 0 && height > 0)).toHaveLength(19);
    expect(sizes.filter(({ fill }) => /^rgb\(/.test(fill))).toHaveLength(18);
    expect(await page.locator('svg [aria-label="tick"] line').count()).toBe(6);
    await page.close();
  });

  it.each(THEMES)("every text can be read on its ground (%s)", async (theme) => {
    const { page } = await open(theme);
    const painted = await page.evaluate(paintedTexts);
    expect(painted.length).toBeGreaterThan(40);
    const bad = painted.filter(
      ({ colour, paper, size, shown }) => !shown || size < 10 || contrast(colour, paper) < 4.5,
    );
    expect(bad).toEqual([]);
    await page.close();
  });

  it("light and dark are two pictures, and a telephone can scroll to all of a chart", async () => {
    const pictures = await Promise.all(
      THEMES.map(async (theme) => {
        const { page } = await open(theme);
        const path = join(folder, `${theme}.png`);
        await page.screenshot({ path, fullPage: true });
        await page.close();
        return readFile(path);
      }),
    );
    expect(pictures.every(({ length }) => length > 20_000)).toBe(true);
    expect(pictures[0]?.equals(pictures[1] as Buffer)).toBe(false);
    const { page } = await open("light", 390);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
    expect(
      await page
        .locator(".chart svg")
        .first()
        .evaluate((svg) => svg.getBoundingClientRect().width),
    ).toBe(640);
    await page.close();
  });
});
