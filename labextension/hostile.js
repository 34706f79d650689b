// 60 strings that try to be more than text: as class names, parameters, causes and sentences.
const X = "globalThis.pwned=1";
export const HOSTILE = [
  `<script>${X}</script>`, `<img src=x onerror="${X}">`, `<svg onload="${X}">`, `"><script>${X}</script>`,
  `<iframe srcdoc="<script>parent.pwned=1</script>"></iframe>`, `<a href="javascript:${X}">click</a>`,
  `<body onload=${X}>`, `<style>*{display:none}</style>`, `<link rel=stylesheet href=//example.invalid/x.css>`,
  `<math><mtext><table><mglyph><style><img src onerror=${X}>`, `<details open ontoggle=${X}>`, `<input autofocus onfocus=${X}>`,
  `<video><source onerror=${X}></video>`, `<object data="javascript:${X}">`, `<embed src="javascript:${X}">`,
  `<form action="javascript:${X}"><button>go</button></form>`, `<base href="//example.invalid/">`, `<meta http-equiv=refresh content=0>`,
  `<svg><script>${X}</script></svg>`, `<svg><animate onbegin=${X} attributeName=x dur=1s>`, `<svg><foreignObject><img src onerror=${X}></foreignObject></svg>`,
  `<svg><use href="data:image/svg+xml,<svg id=x onload=${X}>#x"></svg>`, `</bdi></div></section><h1>out</h1>`, `<!-- --><b>`, `]]><b>bold</b>`,
  `' onmouseover='${X}`, `" onfocus="${X}" autofocus="`, "`${globalThis.pwned=1}`", "{{constructor.constructor('globalThis.pwned=1')()}}", "${7*7}",
  "javascript:globalThis.pwned=1", "&lt;b&gt;&amp;&#x3c;script&#x3e;", "%3Cscript%3EglobalThis.pwned=1%3C/script%3E", "\\u003cscript\\u003e", "__proto__",
  "# heading\n\n- list\n\n| a | b |\n| - | - |", "[link](javascript:globalThis.pwned=1)", "![img](x onerror=globalThis.pwned=1)", "**bold** $\\href{javascript:1}{x}$", "~~~\n```html\n<b>\n```",
  "\u001b[31mred\u001b[0m", "\u001b]8;;http://example.invalid\u0007link\u001b]8;;\u0007", "\u001b[2J\u001b[H", "\u009b31mred", "bell\u0007 back\b\b\b null\u0000 del\u007f",
  "carriage\rreturn", "line\nbreak\u2028and\u2029paragraph", "tab\tand\u000bvertical\fform", "\u202egnp.exe\u202c", "\u2066left\u2069 \u2067right\u2069 \u200f\u200e",
  "zero\u200bwidth\u2060join\ufeffer\u00ad", "tags \u{e0041}\u{e007f}", "lone \ud800 surrogate", "Z\u0351\u036b\u0343\u036a\u0302\u036b\u033d\u034f\u0334\u0319\u0324\u031e\u0349\u035a\u032f\u031e\u0320\u034dalgo",
  "\u0645\u0631\u062d\u0628\u0627 \u05e9\u05dc\u05d5\u05dd mixed 123", "W".repeat(5000), "long ".repeat(900), "\u{1f468}\u200d\u{1f469}\u200d\u{1f467}".repeat(80), "\ufdfd".repeat(60), "constructor",
];
