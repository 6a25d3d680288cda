/** The bell of Belfry. Its own drawing; takes the colour of the text around it. */
export function Bell({ size = 20 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 24 24" aria-hidden="true" fill="currentColor">
      <path d="M12 1.6c.85 0 1.5.66 1.5 1.5v.55c2.9.68 4.7 3.1 4.7 6.35 0 4 .85 5.85 2.4 7.4.55.55.2 1.5-.6 1.5H4c-.8 0-1.15-.95-.6-1.5 1.55-1.55 2.4-3.4 2.4-7.4 0-3.25 1.8-5.67 4.7-6.35V3.1c0-.84.65-1.5 1.5-1.5Z" />
      <path d="M8.9 20.3h6.2a3.1 3.1 0 0 1-6.2 0Z" />
      <path d="M8.2 10.2c0-2.1 1-3.6 2.6-4.2" fill="none" stroke="var(--bell-light, rgb(255 255 255 / 55%))" strokeWidth="1.1" strokeLinecap="round" />
    </svg>
  )
}

export function Logo() {
  return (
    <span style={{ display: 'inline-flex', alignItems: 'center', gap: 8, fontWeight: 650, fontSize: 15, letterSpacing: '-0.01em' }}>
      <span style={{ color: 'var(--accent)', display: 'inline-flex' }}>
        <Bell size={22} />
      </span>
      Belfry
    </span>
  )
}
