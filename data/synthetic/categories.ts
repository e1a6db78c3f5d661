/** A product line: a brand sells it in variants that people buy one after another, in this order. */
export interface Product {
  noun: string;
  variants: readonly string[];
  /** The noun, anywhere in the catalogue, that is bought along with it. */
  complement: string;
}

export interface Category {
  name: string;
  brands: readonly string[];
  products: readonly Product[];
}

const colours = ["White", "Ivory", "Amber", "Coral", "Crimson", "Violet", "Cobalt", "Black"];
const woods = ["Birch", "Oak", "Cherry", "Teak", "Walnut", "Ebony"];
const widths = ["12 mm", "19 mm", "25 mm", "38 mm", "50 mm", "75 mm", "100 mm"];
const grits = ["Grit 60", "Grit 80", "Grit 120", "Grit 180", "Grit 240", "Grit 400", "Grit 800"];
const nozzles = ["0.2 mm", "0.3 mm", "0.4 mm", "0.6 mm", "0.8 mm", "1.0 mm"];
const models = ["Model A10", "Model A20", "Model A30", "Model B10", "Model B20", "Model B30"];
const threads = ["M3", "M4", "M5", "M6", "M8", "M10", "M12"];
const lengths = ["20 mm long", "30 mm long", "40 mm long", "50 mm long", "60 mm long", "80 mm long"];
const drills = ["2 mm", "3 mm", "4 mm", "5 mm", "6 mm", "8 mm", "10 mm"];
const teeth = ["18 Teeth", "24 Teeth", "40 Teeth", "60 Teeth", "80 Teeth"];
const watts = ["3 W", "5 W", "7 W", "9 W", "12 W", "15 W"];
const metres = ["1 m", "2 m", "3 m", "5 m", "10 m", "15 m"];
const roasts = ["Light Roast", "Blonde Roast", "Medium Roast", "Full Roast", "Dark Roast"];
const cups = ["1 Cup", "2 Cups", "4 Cups", "6 Cups", "8 Cups", "12 Cups"];
const crops = ["Radish", "Lettuce", "Carrot", "Beetroot", "Tomato", "Pepper", "Pumpkin"];
const pots = ["9 cm", "11 cm", "14 cm", "17 cm", "21 cm", "26 cm"];
const wheels = ["20 inch", "24 inch", "26 inch", "27.5 inch", "28 inch", "29 inch"];
const speeds = ["6 Speed", "7 Speed", "8 Speed", "9 Speed", "10 Speed", "11 Speed"];
const litres = ["10 l", "20 l", "40 l", "60 l", "100 l", "150 l"];
const papers = ["A6", "A5", "B5", "A4", "A3"];
const weights = ["90 g", "120 g", "160 g", "200 g", "240 g", "300 g"];
const points = ["0.3 Point", "0.4 Point", "0.5 Point", "0.7 Point", "1.0 Point"];

function product(noun: string, variants: readonly string[], complement: string): Product {
  return { noun, variants, complement };
}

/** The world of the built-in dataset. All names are made up. */
export const CATEGORIES: readonly Category[] = [
  {
    name: "Paint",
    brands: ["Norvell", "Huemark", "Castine", "Palmora"],
    products: [
      product("Acrylic Paint", colours, "Flat Brush"),
      product("Spray Enamel", colours, "Masking Tape"),
      product("Wood Stain", woods, "Sanding Sheet"),
      product("Paint Roller", widths, "Drop Cloth"),
    ],
  },
  {
    name: "Painting Tools",
    brands: ["Bristow", "Edgeline", "Tamsen", "Quillard"],
    products: [
      product("Flat Brush", widths, "Acrylic Paint"),
      product("Masking Tape", widths, "Paint Roller"),
      product("Sanding Sheet", grits, "Wood Stain"),
      product("Drop Cloth", metres, "Masking Tape"),
    ],
  },
  {
    name: "3D Printing",
    brands: ["Layerly", "Voxtrude", "Filamo", "Meltcraft"],
    products: [
      product("PLA Filament", colours, "Brass Nozzle"),
      product("PETG Filament", colours, "Steel Nozzle"),
      product("Brass Nozzle", nozzles, "PLA Filament"),
      product("Steel Nozzle", nozzles, "PETG Filament"),
    ],
  },
  {
    name: "Office Printing",
    brands: ["Inkwell & Roe", "Pagemill", "Tonerra", "Duplexo"],
    products: [
      product("Inkjet Printer", models, "Ink Cartridge"),
      product("Ink Cartridge", models, "Photo Paper"),
      product("Photo Paper", weights, "Ink Cartridge"),
      product("Label Roll", widths, "Label Printer"),
      product("Label Printer", models, "Label Roll"),
    ],
  },
  {
    name: "Fasteners",
    brands: ["Gripwell", "Torqand", "Boltimore", "Fastora"],
    products: [
      product("Wood Screw", lengths, "Twist Drill"),
      product("Hex Bolt", threads, "Hex Nut"),
      product("Hex Nut", threads, "Flat Washer"),
      product("Flat Washer", threads, "Hex Bolt"),
    ],
  },
  {
    name: "Cutting",
    brands: ["Kerfman", "Sharpley", "Borewood", "Cutlass Works"],
    products: [
      product("Twist Drill", drills, "Wood Screw"),
      product("Circular Saw Blade", teeth, "Sanding Sheet"),
      product("Masonry Drill", drills, "Wall Anchor"),
      product("Wall Anchor", drills, "Masonry Drill"),
    ],
  },
  {
    name: "Lighting",
    brands: ["Lumeno", "Glowridge", "Candela Park", "Brightsea"],
    products: [
      product("LED Bulb", watts, "Desk Lamp"),
      product("Light Strip", metres, "Extension Cord"),
      product("Desk Lamp", watts, "LED Bulb"),
      product("Extension Cord", metres, "Light Strip"),
    ],
  },
  {
    name: "Coffee",
    brands: ["Morning Quay", "Beanford", "Perco", "Crema Lane"],
    products: [
      product("Espresso Beans", roasts, "Moka Pot"),
      product("Filter Coffee", roasts, "Paper Filter"),
      product("Moka Pot", cups, "Espresso Beans"),
      product("Paper Filter", cups, "Filter Coffee"),
    ],
  },
  {
    name: "Garden",
    brands: ["Loamly", "Greenhollow", "Sprigg", "Terravine"],
    products: [
      product("Vegetable Seeds", crops, "Clay Pot"),
      product("Clay Pot", pots, "Plant Saucer"),
      product("Plant Saucer", pots, "Clay Pot"),
      product("Garden Hose", metres, "Vegetable Seeds"),
    ],
  },
  {
    name: "Cycling",
    brands: ["Spokely", "Velomark", "Cadenza", "Ridgetrack"],
    products: [
      product("Inner Tube", wheels, "Bicycle Tyre"),
      product("Bicycle Tyre", wheels, "Inner Tube"),
      product("Bicycle Chain", speeds, "Sprocket Cassette"),
      product("Sprocket Cassette", speeds, "Bicycle Chain"),
    ],
  },
  {
    name: "Aquarium",
    brands: ["Finbrook", "Aquarelle Bay", "Tidepool & Co", "Minnowry"],
    products: [
      product("Glass Tank", litres, "Tank Filter"),
      product("Tank Filter", litres, "Filter Sponge"),
      product("Filter Sponge", litres, "Tank Filter"),
      product("Aquarium Gravel", colours, "Glass Tank"),
    ],
  },
  {
    name: "Stationery",
    brands: ["Foolscap", "Penrith & Daughter", "Marginal", "Scribbly"],
    products: [
      product("Dotted Notebook", papers, "Gel Pen"),
      product("Gel Pen", points, "Dotted Notebook"),
      product("Highlighter", colours, "Ring Binder"),
      product("Ring Binder", papers, "Highlighter"),
    ],
  },
];
