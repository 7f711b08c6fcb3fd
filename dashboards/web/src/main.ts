import { mount } from "svelte";
import App from "./App.svelte";
import "./tokens.css";
import "./base.css";
import "./patterns.css";
import { live } from "./lib/live.svelte";
import { site } from "./lib/plant.svelte";
import { theme } from "./lib/theme.svelte";

theme.apply();
live.start();
site.start();

const target = document.getElementById("app");
if (target) mount(App, { target });
