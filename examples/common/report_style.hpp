#pragma once

#include <string_view>

namespace common {

/// The style sheet of the report, light and dark.
inline constexpr std::string_view report_style = R"(
:root{--paper:#fbfaf8;--ink:#1d1f24;--soft:#676c76;--line:#e3e0da;--card:#fff;--train:#2f6fde;--test:#d9622b;--good:#2e9e6b}
@media(prefers-color-scheme:dark){:root{--paper:#14161a;--ink:#e8e8ea;--soft:#9aa0ab;--line:#2c3038;--card:#1b1e24;
--train:#6ea2ff;--test:#f0905c;--good:#57c795}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.6 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:60rem;margin:0 auto;padding:3rem 1.25rem 4rem}
h1{font-size:2.1rem;line-height:1.2;margin:0 0 .5rem;letter-spacing:-.02em}
h2{font-size:1.25rem;margin:3rem 0 .35rem;letter-spacing:-.01em}
p{margin:.25rem 0 1rem;max-width:44rem}
.lead{font-size:1.1rem;color:var(--soft)}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(8.5rem,1fr));gap:.75rem;margin:1.75rem 0 0;padding:0}
.figures div{background:var(--card);border:1px solid var(--line);border-radius:.75rem;padding:.8rem 1rem}
.figures dt{font-size:.8rem;color:var(--soft)}
.figures dd{margin:0;font-size:1.3rem;font-weight:600;white-space:nowrap;font-variant-numeric:tabular-nums;letter-spacing:-.01em}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,20rem),1fr));gap:1.25rem}
figure{margin:0 0 1rem}
figure img{display:block;width:100%;border-radius:.5rem;image-rendering:pixelated;background:#3d3d3d}
.under{display:grid;grid-auto-flow:column;grid-auto-columns:1fr;text-align:center;font-size:.75rem;color:var(--soft);
font-variant-numeric:tabular-nums;padding-top:.25rem}
figcaption,.note{font-size:.88rem;color:var(--soft);margin-top:.35rem}
.chart{display:block;width:100%;height:auto;background:var(--card);border:1px solid var(--line);border-radius:.75rem;padding:.5rem}
.chart text{font:13px system-ui,sans-serif;fill:var(--soft)}
.chart .name{font-size:15px;fill:var(--ink);stroke:var(--card);stroke-width:6px;paint-order:stroke}.chart .value{font-weight:600}
.chart .grid,.chart .stem{stroke:var(--line);stroke-width:1}.chart .stem{stroke-width:3}
.chart polyline{fill:none;stroke-width:2;stroke-linejoin:round}
.chart .raw{stroke:var(--train);stroke-width:1;opacity:.3}
.chart .train{stroke:var(--train)}.chart polyline.test{stroke:var(--test)}.chart circle.test{fill:var(--test)}
.chart .mark0{fill:var(--good)}.chart .mark1{fill:var(--train)}.chart .mark2{fill:var(--test)}
.key{display:inline-block;width:1.4rem;height:.2rem;border-radius:.1rem;vertical-align:middle;margin-right:.35rem}
.key.train{background:var(--train)}.key.test{background:var(--test);margin-left:1rem}
table{border-collapse:collapse;width:100%;font-size:.93rem}
td{border-top:1px solid var(--line);padding:.42rem .5rem .42rem 0;vertical-align:top;overflow-wrap:anywhere}
td:first-child{color:var(--soft);width:15rem;overflow-wrap:normal}
@media(max-width:36rem){main{padding-top:1.75rem}.figures{gap:.5rem}h1{font-size:1.6rem}td:first-child{width:9rem}.chart text{font-size:22px}
.chart .name{font-size:25px}.under{font-size:.6rem}}
)";

}  // namespace common
