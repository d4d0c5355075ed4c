// supabase-js warns about Node 20 as it loads. Node 20 is what this project supports and tests, so a person is not told at each start.
const warn = console.warn;
console.warn = (...args: unknown[]) => {
  if (!String(args[0]).includes("Node.js 20 and below are deprecated")) warn(...args);
};

export {};
