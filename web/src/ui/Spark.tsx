/** A line of counts as small as a word. */
export function Spark({ counts, label, width = 96, height = 18 }: { counts: readonly number[]; label: string; width?: number; height?: number }) {
  const most = Math.max(1, ...counts)
  const bar = width / Math.max(1, counts.length)
  return (
    <svg width={width} height={height} role="img" aria-label={label} style={{ verticalAlign: 'middle' }}>
      <line x1={0} x2={width} y1={height - 0.5} y2={height - 0.5} stroke="var(--line-strong)" />
      {counts.map((n, i) => n > 0 && <rect key={i} x={i * bar} y={height - Math.max(1.5, (n / most) * height)} width={Math.max(1, bar - 1)} height={Math.max(1.5, (n / most) * height)} fill="var(--accent)" />)}
    </svg>
  )
}
