import { secureHeaders } from "hono/secure-headers";

/** Headers that let pages load and run what comes from this server, and nothing else. */
export const secured = secureHeaders({
  contentSecurityPolicy: {
    defaultSrc: ["'none'"],
    scriptSrc: ["'self'"],
    styleSrc: ["'self'"],
    connectSrc: ["'self'"],
    imgSrc: ["'self'", "data:"],
    baseUri: ["'none'"],
    formAction: ["'none'"],
    frameAncestors: ["'none'"],
  },
  xFrameOptions: "DENY",
  // It speaks HTTP; who stands before it with a certificate says this.
  strictTransportSecurity: false,
});
