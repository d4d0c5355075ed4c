/** Light and dark from one list: each colour is named once and has two values. Contrast of text is at least 4.5. */
const COLOURS: Record<string, readonly [light: string, dark: string]> = {
  paper: ["#ffffff", "#14181d"],
  ink: ["#1b1f24", "#e8ebee"],
  faint: ["#57606a", "#9aa5b1"],
  line: ["#d0d7de", "#38414b"],
  open: ["#3b6fb6", "#6ea8f0"],
  quiet: ["#8c959f", "#7d8894"],
  won: ["#2f8f5b", "#4fbf83"],
  lost: ["#b8574f", "#e08379"],
  band: ["#b9d2f0", "#2c4a70"],
  middle: ["#1d4f91", "#9cc7ff"],
  new: ["#6d3fb0", "#c3a6f5"],
  naive: ["#b35900", "#ffb066"],
  "load-0": ["#e3eef9", "#1f2f40"],
  "load-1": ["#a8d5b5", "#25573a"],
  "load-2": ["#f4dd8a", "#6b5713"],
  "load-3": ["#eda271", "#8a4218"],
  "load-4": ["#b3261e", "#f0766c"],
  "on-load-0": ["#1b1f24", "#e8ebee"],
  "on-load-1": ["#1b1f24", "#f2f5f7"],
  "on-load-2": ["#1b1f24", "#fdf6df"],
  "on-load-3": ["#1b1f24", "#fff4ec"],
  "on-load-4": ["#ffffff", "#14181d"],
};

const named = (theme: 0 | 1) =>
  Object.entries(COLOURS)
    .map(([name, values]) => `--${name}:${values[theme]};`)
    .join("");

export const STYLE = `
:root{color-scheme:light dark;${named(0)}}
@media (prefers-color-scheme:dark){:root{${named(1)}}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main{max-width:1040px;margin:0 auto;padding:2rem 1.5rem 4rem}
h1{font-size:1.7rem;line-height:1.2;margin:0 0 .5rem}
h2{font-size:1.25rem;margin:2.5rem 0 .25rem}
p{margin:.25rem 0 .75rem;max-width:75ch}
.faint{color:var(--faint)}
.chart{overflow-x:auto}
.chart svg{display:block;min-width:640px;max-width:100%;height:auto;background:none;color:var(--ink)}
.legend{display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;list-style:none;margin:.5rem 0;padding:0;font-size:.875rem}
.legend span{display:inline-block;width:.9rem;height:.9rem;border:1px solid var(--line);border-radius:2px;margin-right:.4rem;vertical-align:-.1rem}
details{margin:.5rem 0}
summary{cursor:pointer}
.scroll{overflow-x:auto}
table{border-collapse:collapse;font-size:.875rem;font-variant-numeric:tabular-nums}
th,td{padding:.25rem .75rem;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}
th:first-child,td:first-child{text-align:left}
`;
