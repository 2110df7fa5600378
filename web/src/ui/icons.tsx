import type { ReactNode, SVGProps } from "react";

function icon(children: ReactNode) {
  return function Icon(props: SVGProps<SVGSVGElement>) {
    return (
      <svg
        viewBox="0 0 20 20"
        width="20"
        height="20"
        fill="none"
        stroke="currentColor"
        strokeWidth="1.6"
        strokeLinecap="round"
        strokeLinejoin="round"
        aria-hidden="true"
        {...props}
      >
        {children}
      </svg>
    );
  };
}

export const PlusIcon = icon(<path d="M10 4v12M4 10h12" />);
export const CrossIcon = icon(<path d="m5.5 5.5 9 9m0-9-9 9" />);
export const DownloadIcon = icon(<path d="M10 3.5v9m0 0 3.5-3.5M10 12.5 6.5 9M4 16.5h12" />);
export const CheckIcon = icon(<path d="m4.5 10.5 3.5 3.5 7.5-8" />);
export const WarningIcon = icon(<path d="M10 3.2 2.6 16h14.8zM10 8.2v3.6m0 2.2v.1" />);
export const ArrowIcon = icon(<path d="M4 10h12m0 0-4.5-4.5M16 10l-4.5 4.5" />);
export const SunIcon = icon(
  <>
    <circle cx="10" cy="10" r="3.4" />
    <path d="M10 2v1.6M10 16.4V18M2 10h1.6M16.4 10H18M4.3 4.3l1.2 1.2m9 9 1.2 1.2m0-11.4-1.2 1.2m-9 9-1.2 1.2" />
  </>,
);
export const MoonIcon = icon(<path d="M16.5 12.2A7 7 0 0 1 7.8 3.5a7 7 0 1 0 8.7 8.7z" />);
export const DeviceIcon = icon(
  <>
    <rect x="2.8" y="4" width="14.4" height="9.5" rx="1.5" />
    <path d="M7 16.5h6" />
  </>,
);
export const PhotoIcon = icon(
  <>
    <rect x="2.8" y="3.8" width="14.4" height="12.4" rx="1.8" />
    <path d="m3 13.4 3.9-3.7 3.4 3.2 2.6-2.3 4 3.6" />
    <circle cx="12.8" cy="7.6" r="1.1" />
  </>,
);
export const CopyIcon = icon(
  <>
    <rect x="7" y="7" width="9.5" height="9.5" rx="1.6" />
    <path d="M13 4.2a1.2 1.2 0 0 0-1.2-1.2H4.7A1.7 1.7 0 0 0 3 4.7v7.1A1.2 1.2 0 0 0 4.2 13" />
  </>,
);
export const PencilIcon = icon(<path d="m12.2 4.6 3.2 3.2M4 16l.8-3.6 8.5-8.5a1.3 1.3 0 0 1 1.9 0l.9.9a1.3 1.3 0 0 1 0 1.9l-8.5 8.5z" />);
export const ShareIcon = icon(<path d="M10 12V3m0 0L6.8 6.2M10 3l3.2 3.2M5 9.5H4v7h12v-7h-1" />);
